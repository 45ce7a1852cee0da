/** The view of labels of a configuration. */
import { join } from 'node:path';
import { createLabelViewObserver } from './observation/label-view.ts';
import type { Access } from './open-access.ts';
import type { ServiceContext } from './process-context.ts';
import { openLabelView, type LabelView } from './views/label-view.ts';

/** At once; it is closed before the access is. */
export function openLabelViewOf({ transport, codec, configuration }: Pick<Access, 'transport' | 'codec' | 'configuration'>, { logger, metrics, clock }: ServiceContext): LabelView {
  const { retentionMs, itemsMax } = configuration.server.labels;
  return openLabelView({
    transport,
    codec,
    directory: join(configuration.dataDirectory, 'views'),
    limits: { retentionMs, itemsMax },
    clock,
    random: Math.random,
    observer: createLabelViewObserver(logger, metrics.labelView, clock),
  });
}
