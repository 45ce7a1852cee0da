import type { Metric } from '../core/events.generated.ts';

/** What decides who is near whom, and who is core. */
export type ClusteringParameters = { readonly metric: Metric; readonly eps: number; readonly minPoints: number };
