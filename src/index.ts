/** What the package offers to programs: for those that consume its topics, and for those that write its configuration. */
export { createClusterResolver, type ClusterResolver, type ResolvedItem, type ResolverPosition } from './clustering/alias-resolver.ts';
export { openCodec, type Codec, type CodecOptions } from './codec/codec.ts';
export type { ConfigurationFile } from './config/settings.ts';
export type {
  Assignment, Classification, ClusterEvent, ClusterEventType, ControlEvent, FeatureEvent, LabelEvent, MediaEvent, MetricEvent, Origin, Prediction,
  RecordEvent, Revision, Role, TextEvent,
} from './core/events.generated.ts';
