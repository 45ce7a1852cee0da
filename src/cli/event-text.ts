/** One line for a person about an event; `tail --json` has all of it. */
import type { DecodedEvent } from '../codec/event-names.ts';
import type { LabelEvent } from '../core/events.generated.ts';
import { itemIdOf } from '../core/ids.ts';
import { jsonText } from './output.ts';

export function eventText(decoded: DecodedEvent): string {
  switch (decoded.schema) {
    case 'TextEvent':
      return `${itemIdOf(decoded.event)} ${decoded.event.deleted ? '(deleted)' : decoded.event.text}`;
    case 'RecordEvent':
      return `${itemIdOf(decoded.event)} ${jsonText(decoded.event.values)}`;
    case 'MediaEvent':
      return `${itemIdOf(decoded.event)} ${decoded.event.deleted ? '(deleted)' : decoded.event.contentType}`;
    case 'FeatureEvent':
      return `${decoded.event.itemId} ${decoded.event.deleted ? '(deleted)' : `${decoded.event.dimensions} numbers of ${decoded.event.model} for ${decoded.event.collection}`}`;
    case 'LabelEvent':
      return `${decoded.event.itemId} ${decoded.event.routeStep} ${resultText(decoded.event.result)}`;
    case 'ClusterEvent': {
      const { collection, type, survivor, retired, minted, name, sizes } = decoded.event;
      const said = Object.entries({ survivor, retired, minted, name, sizes: sizes.map(({ size }) => size) })
        .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
        .map(([key, value]) => `${key} ${Array.isArray(value) ? value.join(', ') : String(value)}`);
      return [`${collection} ${type}`, ...said].join(', ');
    }
    default:
      return jsonText(decoded.event);
  }
}

function resultText(result: LabelEvent['result']): string {
  if ('labelstream.v1.Assignment' in result) {
    const { collection, role, clusterId } = result['labelstream.v1.Assignment'];
    return `${role}${clusterId === null ? '' : ` of ${clusterId}`} in ${collection}`;
  }
  if ('labelstream.v1.Classification' in result) {
    const [top] = result['labelstream.v1.Classification'].labels;
    return top === undefined ? '(no label)' : `${top.label} (${top.score.toFixed(3)})`;
  }
  if ('labelstream.v1.Prediction' in result) {
    const { label, value, probabilities } = result['labelstream.v1.Prediction'];
    const probability = probabilities.find((candidate) => candidate.label === label);
    return `${label ?? String(value)}${probability === undefined ? '' : ` (${probability.score.toFixed(3)})`}`;
  }
  return jsonText(Object.values(result)[0]);
}
