/** What the package offers to programs that consume its topics. */
export { createClusterResolver, type ClusterResolver, type ResolverPosition } from './clustering/alias-resolver.ts';
export { openCodec, type Codec, type CodecOptions } from './codec/codec.ts';
export type {
  Assignment, Classification, ClusterEvent, ClusterEventType, ControlEvent, FeatureEvent, LabelEvent, MediaEvent, MetricEvent, Origin, Prediction,
  RecordEvent, Revision, Role, TextEvent,
} from './core/events.generated.ts';
