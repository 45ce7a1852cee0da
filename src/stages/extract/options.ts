import type { Codec } from '../../codec/codec.ts';
import type { Route } from '../../core/routes.ts';
import type { Models } from '../../models/model-port.ts';
import type { Task } from '../../tasks/task.ts';
import type { MediaContent } from './media-content.ts';

export type ExtractOptions = {
  readonly codec: Codec;
  readonly routes: readonly Route[];
  readonly tasks: ReadonlyMap<string, Task>;
  readonly models: Models;
  readonly media: MediaContent;
  /** The configured revision of each model binding. */
  readonly revisions: ReadonlyMap<string, number>;
  /** The only names that a family's template may give; absent: any. */
  readonly allowedNames: ReadonlyMap<string, ReadonlySet<string>>;
  readonly partitionCounts: ReadonlyMap<string, number>;
  readonly previewLengthMax: number;
  readonly recordBytesMax: number;
  /** The `ce_source` of what it makes; absent: no CloudEvents. */
  readonly cloudEventSource?: string | undefined;
  readonly unrouted: 'dead-letter' | 'drop';
};
