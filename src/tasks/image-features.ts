/** An image becomes a vector. */
import { featuresTask } from './features-task.ts';
import { imageInput } from './image-input.ts';

export const imageFeatures = featuresTask({ name: 'image-features', accepts: ['media'], input: imageInput });
