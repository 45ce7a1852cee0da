/** Secrets that stand where people who are not to know them may read them: warned of, by the names of their settings. */
import type { ConfigurationDocument } from './document.ts';
import { namedSecrets, overridableSettings, type Overrides } from './overrides.ts';

export type PlainSecret = {
  readonly setting: string;
  /** In the file; undefined on the command line. */
  readonly line: number | undefined;
  readonly message: string;
};

/** A variable without a default, which would be a secret in the file again. */
const variable = /\$\{[A-Z_][A-Z0-9_]*(?::-)?\}/;

export function plainSecrets({ asWritten, lineOf }: Pick<ConfigurationDocument, 'asWritten' | 'lineOf'>, { assignments }: Pick<Overrides, 'assignments'>): readonly PlainSecret[] {
  const inFile = (path: readonly string[], remedy: string): readonly PlainSecret[] => {
    const setting = path.join('.');
    const written = valueAt(asWritten, path);
    if (typeof written !== 'string' || variable.test(written)) return [];
    return [{ setting, line: lineOf(path), message: `${setting} is a secret that whoever reads the file sees; ${remedy}` }];
  };
  const fixed = overridableSettings()
    .filter(({ secret }) => secret)
    .flatMap(({ path, variable: name }) => {
      const setting = path.join('.');
      const remedy = `use ${path.at(-1) ?? ''}File, or the variable ${name}`;
      return [
        ...inFile(path, remedy),
        ...(assignments.some((assignment) => assignment.startsWith(`${setting}=`))
          ? [{ setting, line: undefined, message: `${setting} is a secret that whoever lists the processes sees; ${remedy}` }]
          : []),
      ];
    });
  const named = namedSecrets().flatMap(({ names, path }) => {
    const written = valueAt(asWritten, names);
    const keys = typeof written === 'object' && written !== null ? Object.keys(written) : [];
    return keys.flatMap((key) => inFile([...names, key, ...path], `use ${path.at(-1) ?? ''}File, or a variable of your choice, as \${NAME}`));
  });
  return [...fixed, ...named];
}

function valueAt(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((node, part) => (typeof node === 'object' && node !== null ? (node as Readonly<Record<string, unknown>>)[part] : undefined), tree);
}
