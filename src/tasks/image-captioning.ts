/** What is to be seen on an image, as a sentence. */
import { captionTask } from './caption-task.ts';
import type { Task } from './task.ts';

export const imageCaptioning: Task = { ...captionTask({ name: 'image-captioning', text: () => undefined }), text: 'none', classes: 'none' };
