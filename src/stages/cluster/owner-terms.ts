/**
 * Which owner's records count (SEMANTICS.md, rule 20). Before an owner appends anything for itself it appends a claim, whose sequence is its term; what
 * owners of lower terms append afterwards is ignored, wherever in the log it comes to lie. What people and configurations append has no term.
 */
import type { ControlEvent } from '../../core/events.generated.ts';
import type { PartitionState } from './state.ts';

export function isOutdated({ claim }: Pick<PartitionState, 'claim'>, { term, action }: Pick<ControlEvent, 'term' | 'action'>): boolean {
  if (claim === undefined || term >= claim.term) return false;
  // Logs of earlier versions have ticks without a term.
  if ('labelstream.v1.Tick' in action) return term > 0n;
  return 'labelstream.v1.Refit' in action || 'labelstream.v1.Swap' in action || 'labelstream.v1.Freeze' in action;
}

/** An owner that says so twice keeps its term. */
export function noteClaim(state: PartitionState, owner: string, sequence: bigint): void {
  if (state.claim?.owner !== owner) state.claim = { owner, term: sequence };
}
