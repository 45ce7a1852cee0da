import type { ConfigErrorCode } from '../core/errors/config.ts';

export type SettingPath = readonly (string | number)[];

/** One thing that is wrong with a configuration, so told that it can be mended without reading the source. */
export type ConfigurationMistake = {
  readonly code: ConfigErrorCode;
  readonly path: SettingPath;
  /** From 1; undefined for what comes from the environment, a flag or a default. */
  readonly line: number | undefined;
  readonly message: string;
  readonly remedy: string;
};

export function pathText(path: SettingPath): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${String(part)}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}
