import type {
  ClusterEvent, ControlEvent, FeatureEvent, LabelEvent, MediaEvent, MetricEvent, RecordEvent, TextEvent,
} from '../core/events.generated.ts';

/** The events that travel as values of records, by the simple names of their schemas. */
type EventTypes = {
  readonly MediaEvent: MediaEvent;
  readonly TextEvent: TextEvent;
  readonly RecordEvent: RecordEvent;
  readonly FeatureEvent: FeatureEvent;
  readonly ControlEvent: ControlEvent;
  readonly LabelEvent: LabelEvent;
  readonly ClusterEvent: ClusterEvent;
  readonly MetricEvent: MetricEvent;
};

export type EventName = keyof EventTypes;
export type EventOf<Name extends EventName> = EventTypes[Name];

/** What a decoded value is: `switch (decoded.schema)` tells the events apart. */
export type DecodedEvent = { readonly [Name in EventName]: { readonly schema: Name; readonly event: EventOf<Name> } }[EventName];

export const eventNames = [
  'MediaEvent', 'TextEvent', 'RecordEvent', 'FeatureEvent', 'ControlEvent', 'LabelEvent', 'ClusterEvent', 'MetricEvent',
] as const satisfies readonly EventName[];
