export type SettingPath = readonly (string | number)[];

/** One thing that is wrong with a configuration, so told that it can be mended without reading the source. */
export type ConfigurationMistake = {
  /** Of the catalogue: LS_CONFIG_*, or what a part says of the settings that it was given. */
  readonly code: string;
  readonly path: SettingPath;
  /** From 1; undefined for what comes from the environment, a flag or a default. */
  readonly line: number | undefined;
  readonly message: string;
  readonly remedy: string;
};

/** Before it is known where the setting stands. */
export type UnlocatedMistake = Omit<ConfigurationMistake, 'line'>;

/** Where a setting stands in the file. */
export type LineOf = (path: SettingPath) => number | undefined;

/** What a part of the program, or the log, refuses of valid settings. */
export class SettingsRefused extends Error {
  override readonly name = 'SettingsRefused';
  readonly mistakes: readonly UnlocatedMistake[];

  constructor(mistakes: readonly UnlocatedMistake[]) {
    super(mistakes.map(({ message }) => message).join('\n'));
    this.mistakes = mistakes;
  }
}

/** In the order of the file. */
export function located(mistakes: readonly UnlocatedMistake[], lineOf: LineOf): readonly ConfigurationMistake[] {
  return inFileOrder(mistakes.map((mistake) => ({ ...mistake, line: lineOf(mistake.path) })));
}

export function inFileOrder(mistakes: readonly ConfigurationMistake[]): readonly ConfigurationMistake[] {
  return [...mistakes].sort((left, right) => (left.line ?? 0) - (right.line ?? 0));
}

export function pathText(path: SettingPath): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${String(part)}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}
