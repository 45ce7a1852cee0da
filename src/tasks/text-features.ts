/** A text becomes a vector. */
import { featuresTask } from './features-task.ts';
import { textInput } from './text-input.ts';

export const textFeatures = featuresTask({ name: 'text-features', accepts: ['text'], input: textInput });
