import type { Origin } from '../../core/events.generated.ts';

/** What a live item's assignments are published with. */
export type Item = {
  readonly itemId: string;
  readonly inputId: string;
  readonly origin: Origin;
  readonly routeStep: string;
  readonly model: string;
  readonly modelVersion: string;
  readonly occurredAt: number;
  readonly preview: string | null;
  /** The cluster id in its last assignment, literally: aliases are not applied. Every version of an item is told one as it enters. */
  readonly toldClusterId: string | null;
};
