import { cliError } from '../core/errors/cli.ts';
import { isItemId } from '../core/ids.ts';

/** Throws LS_CLI_USAGE. */
export function requireItemIds(items: readonly string[]): void {
  for (const item of items) {
    if (!isItemId(item)) throw cliError('LS_CLI_USAGE', `"${item}" is no item; write it as source/id`, { item });
  }
}
