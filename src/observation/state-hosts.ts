/**
 * Snapshots in a directory stay on their host: a partition that moves to another host is folded from the beginning of its log, and cannot be where
 * retention has taken that. Told once.
 */
import type { Logger } from 'pino';

/** @param group the one whose state it is. */
export function watchStateHosts(logger: Pick<Logger, 'warn'>, group: string): (rebalanced: string, hosts: readonly string[]) => void {
  let isTold = false;
  return (rebalanced, hosts) => {
    if (rebalanced !== group || hosts.length < 2 || isTold) return;
    isTold = true;
    logger.warn(
      { group, hosts: hosts.toSorted() },
      'instances on several hosts keep their snapshots in directories: a partition that moves is folded from the beginning of features, and cannot be where retention took that; ' +
        'keep the snapshots in a blob container (state.kind: blob), or say that all have the same directory (state.kind: shared-directory)',
    );
  };
}
