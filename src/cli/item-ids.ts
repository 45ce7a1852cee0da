import { cliError } from '../core/errors/cli.ts';

/** Throws LS_CLI_USAGE. */
export function requireItemIds(items: readonly string[]): void {
  for (const item of items) {
    const slash = item.indexOf('/');
    if (slash <= 0 || slash === item.length - 1) throw cliError('LS_CLI_USAGE', `"${item}" is no item; write it as source/id`, { item });
  }
}
