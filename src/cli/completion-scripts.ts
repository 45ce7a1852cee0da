/**
 * The completion scripts. Each holds the commands as data and walks the words before the cursor: a word that names a command below the one
 * reached so far goes into it, an option with a value takes the next word. Then it offers what can stand here.
 */
export type CompletionValue = { readonly kind: 'choices'; readonly choices: readonly string[] } | { readonly kind: 'files' | 'other' };

export type CompletionNode = {
  /** Below the program's name; empty for the program itself. */
  readonly path: readonly string[];
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly {
    readonly flags: readonly string[];
    readonly description: string;
    /** Undefined for a switch. */
    readonly value: CompletionValue | undefined;
  }[];
  /** Of its arguments; undefined where it takes none. */
  readonly argument: CompletionValue | undefined;
};

type Nodes = readonly CompletionNode[];

export const completionScripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const satisfies Record<string, (nodes: Nodes) => string>;

const pathText = ({ path }: CompletionNode): string => path.join(' ');
const commandPaths = (nodes: Nodes): readonly string[] => nodes.filter(({ path }) => path.length > 0).map(pathText);
const flagsOf = ({ options }: CompletionNode): readonly string[] => options.flatMap(({ flags }) => flags);
const valueFlags = (nodes: Nodes): readonly string[] => [
  ...new Set(nodes.flatMap(({ options }) => options.flatMap(({ flags, value }) => (value === undefined ? [] : flags)))),
];

/** In single quotes, as all three shells read them (a quote itself is not needed: it is taken out). */
function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '')}'`;
}

/** The lines of a `case`: one per command and option with a value, then one per command for what else may stand there. */
function posixCases(nodes: Nodes, offer: { readonly words: (words: readonly string[]) => string; readonly files: string }): string {
  const action = (value: CompletionValue): string => (value.kind === 'choices' ? offer.words(value.choices) : value.kind === 'files' ? offer.files : ':');
  const values = nodes.flatMap((node) =>
    node.options.flatMap(({ flags, value }) =>
      value === undefined || value.kind === 'other' ? [] : [`    ${flags.map((flag) => quoted(`${pathText(node)}|${flag}`)).join('|')}) ${action(value)} ;;`],
    ),
  );
  const rest = nodes.flatMap((node) => [
    `    ${quoted(`${pathText(node)}|option`)}) ${offer.words(flagsOf(node))} ;;`,
    `    ${quoted(`${pathText(node)}|argument`)}) ${node.commands.length > 0 ? offer.words(node.commands.map(({ name }) => name)) : action(node.argument ?? { kind: 'other' })} ;;`,
  ]);
  return [...values, ...rest].join('\n');
}

/** Shell text that leaves the path of the command in `at` and the place of the cursor in `place`. `words` are those between name and cursor. */
function posixWalk(nodes: Nodes, words: string): string {
  return `  local at='' place=argument skip='' word
  for word in ${words}; do
    if [[ -n $skip ]]; then skip=''; place=argument; continue; fi
    case "$word" in
      ${valueFlags(nodes).join('|')}) skip=1; place=$word; continue ;;
      -*) continue ;;
    esac
    case "\${at:+$at }$word" in
      ${commandPaths(nodes).map(quoted).join('|')}) at="\${at:+$at }$word" ;;
    esac
  done`;
}

function bashScript(nodes: Nodes): string {
  const words = (values: readonly string[]): string => `COMPREPLY=($(compgen -W ${quoted(values.join(' '))} -- "$current"))`;
  return `# Completion of labelstream for bash: source <(labelstream completion bash)
_labelstream() {
  local current="\${COMP_WORDS[COMP_CWORD]}"
${posixWalk(nodes, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"')}
  if [[ $place == argument && $current == -* ]]; then place=option; fi
  COMPREPLY=()
  case "$at|$place" in
${posixCases(nodes, { words, files: 'compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current")' })}
  esac
}
complete -F _labelstream labelstream`;
}

function zshScript(nodes: Nodes): string {
  const words = (values: readonly string[]): string => `compadd -- ${values.map(quoted).join(' ')}`;
  return `#compdef labelstream
# Completion of labelstream for zsh: source <(labelstream completion zsh), after compinit
_labelstream() {
  local current="\${words[CURRENT]}"
${posixWalk(nodes, '"${(@)words[2,CURRENT-1]}"')}
  if [[ $place == argument && $current == -* ]]; then place=option; fi
  case "$at|$place" in
${posixCases(nodes, { words, files: '_files' })}
  esac
}
if [[ "\${funcstack[1]}" == _labelstream ]]; then _labelstream "$@"; else compdef _labelstream labelstream; fi`;
}

function fishScript(nodes: Nodes): string {
  const condition = (node: CompletionNode): string => `-n "test (__labelstream_at) = '${pathText(node)}'"`;
  const values = (value: CompletionValue | undefined): string => {
    if (value === undefined) return '';
    return value.kind === 'choices' ? ` -xa ${quoted(value.choices.join(' '))}` : value.kind === 'files' ? ' -rF' : ' -x';
  };
  const lines = nodes.flatMap((node) => [
    ...node.commands.map(({ name, description }) => `complete -c labelstream ${condition(node)} -a ${quoted(name)} -d ${quoted(description)}`),
    ...(node.argument?.kind === 'choices' ? [`complete -c labelstream ${condition(node)} -a ${quoted(node.argument.choices.join(' '))}`] : []),
    ...(node.argument?.kind === 'files' ? [`complete -c labelstream ${condition(node)} -F`] : []),
    ...node.options.map(({ flags, description, value }) => {
      const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ');
      return `complete -c labelstream ${condition(node)} ${names}${values(value)} -d ${quoted(description)}`;
    }),
  ]);
  return `# Completion of labelstream for fish: labelstream completion fish | source
function __labelstream_at
  set -l at ''
  set -l skip ''
  for word in (commandline -opc)[2..]
    if test -n "$skip"
      set skip ''
      continue
    end
    switch $word
      case ${valueFlags(nodes).join(' ')}
        set skip 1
        continue
      case '-*'
        continue
    end
    set -l next (string trim "$at $word")
    if contains -- "$next" ${commandPaths(nodes).map(quoted).join(' ')}
      set at $next
    end
  end
  echo $at
end
complete -c labelstream -f
${lines.join('\n')}`;
}
