/** One suite for every transport adapter: what src/pipeline/transport.ts promises, held against the adapter at hand. */
import { afterEach, beforeEach, describe } from 'vitest';
import { describeClaims } from './claim-conformance.ts';
import { describeConsuming } from './consumer-conformance.ts';
import { describeDelivery } from './delivery-conformance.ts';
import { describeTopics } from './topic-conformance.ts';
import type { TransportHarness } from './transport-harness.ts';

export function describeTransport(name: string, makeHarness: () => Promise<TransportHarness>): void {
  describe(name, () => {
    let harness: TransportHarness | undefined;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(async () => {
      await harness?.close();
      harness = undefined;
    });
    const current = (): TransportHarness => {
      if (harness === undefined) throw new Error('No harness: beforeEach failed.');
      return harness;
    };
    describeTopics(current);
    describeConsuming(current);
    describeDelivery(current);
    describeClaims(current);
  });
}
