/** A text gets labels. */
import { classificationTask } from './classification-task.ts';
import { textInput } from './text-input.ts';

export const textClassification = classificationTask({ name: 'text-classification', accepts: ['text'], input: textInput });
