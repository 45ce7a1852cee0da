/** The entry of an inference worker thread. */
import { parentPort, workerData } from 'node:worker_threads';
import { serveInference } from './inference-service.ts';
import type { WorkerSetup } from './worker-protocol.ts';

if (parentPort !== null) await serveInference(workerData as WorkerSetup, parentPort);
