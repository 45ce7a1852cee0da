/** Secrets that stand where people who are not to know them may read them: warned of, by the names of their settings. */
import type { ConfigurationDocument } from './document.ts';
import { overridableSettings, type Overrides } from './overrides.ts';

export type PlainSecret = {
  readonly setting: string;
  /** In the file; undefined on the command line. */
  readonly line: number | undefined;
  readonly message: string;
};

/** A variable without a default, which would be a secret in the file again. */
const variable = /\$\{[A-Z_][A-Z0-9_]*(?::-)?\}/;

export function plainSecrets({ asWritten, lineOf }: Pick<ConfigurationDocument, 'asWritten' | 'lineOf'>, { assignments }: Pick<Overrides, 'assignments'>): readonly PlainSecret[] {
  return overridableSettings()
    .filter(({ secret }) => secret)
    .flatMap(({ path, variable: name }) => {
      const setting = path.join('.');
      const remedy = `use ${path.at(-1) ?? ''}File, or the variable ${name}`;
      const written = path.reduce<unknown>((node, part) => (typeof node === 'object' && node !== null ? (node as Readonly<Record<string, unknown>>)[part] : undefined), asWritten);
      return [
        ...(typeof written === 'string' && !variable.test(written) ? [{ setting, line: lineOf(path), message: `${setting} is a secret that whoever reads the file sees; ${remedy}` }] : []),
        ...(assignments.some((assignment) => assignment.startsWith(`${setting}=`))
          ? [{ setting, line: undefined, message: `${setting} is a secret that whoever lists the processes sees; ${remedy}` }]
          : []),
      ];
    });
}
