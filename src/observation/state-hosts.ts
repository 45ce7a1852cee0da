/**
 * Snapshots in a directory stay on their host: a partition that moves to another host is folded from the beginning of its log, and cannot be where
 * retention has taken that. Told once.
 */
import type { Logger } from 'pino';

/** @param group the one whose state it is. Of others, and once it was told, the answer is that nobody has to ask. */
export function watchStateHosts(logger: Pick<Logger, 'warn'>, group: string): (rebalanced: string) => ((hosts: readonly string[]) => void) | undefined {
  let isTold = false;
  const seen = (hosts: readonly string[]): void => {
    if (hosts.length < 2 || isTold) return;
    isTold = true;
    logger.warn(
      { group, hosts: hosts.toSorted() },
      'instances on several hosts keep their snapshots in directories: a partition that moves is folded from the beginning of features, and cannot be where retention took that; ' +
        'keep the snapshots in a blob container (state.kind: blob), or say that all have the same directory (state.kind: shared-directory)',
    );
  };
  return (rebalanced) => (rebalanced === group && !isTold ? seen : undefined);
}
