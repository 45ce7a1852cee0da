/** An image gets labels. */
import { classificationTask } from './classification-task.ts';
import { imageInput } from './image-input.ts';

export const imageClassification = classificationTask({ name: 'image-classification', accepts: ['media'], input: imageInput });
