/** The entry of a search worker thread. */
import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerSetup } from './search-protocol.ts';
import { serveSearches } from './search-service.ts';

if (parentPort !== null) serveSearches(workerData as WorkerSetup, parentPort);
