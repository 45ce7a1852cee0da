/** What a step says to its task beside the event: a text, classes, a config. */
import type { StepParameters } from '../core/routes.ts';
import { taskConfigMistakes, type TaskConfig } from '../core/task-config.ts';
import { compileTemplate, stepsOf, type Template } from '../core/templates.ts';
import type { SettingPath } from './mistakes.ts';
import type { Settings } from './settings.ts';

export type ParameterisedTask = { readonly name: string; readonly text?: 'needed' | 'none'; readonly classes?: 'needed' | 'optional' | 'none' } & {
  readonly configMistakes?: (config: Readonly<Record<string, unknown>>) => readonly string[];
};

type Step = Settings['routes'][number]['steps'][number];

type Report = (path: SettingPath, message: string, remedy: string) => void;

/** Undefined where the step says nothing. */
export function checkParameters(step: Step, at: SettingPath, tasks: readonly ParameterisedTask[], report: Report): StepParameters | undefined {
  const task = tasks.find(({ name }) => name === step.task);
  if (task === undefined) return undefined;
  checkPresence(step, task, at, report);
  const text = step.text === undefined ? undefined : checkText(step.text, [...at, 'text'], report);
  for (const mistake of task.configMistakes?.(step.config ?? {}) ?? taskConfigMistakes(step.task, step.config ?? {})) {
    report([...at, 'config'], mistake, `Correct it: the tasks and what each takes are listed in docs/tasks.md.`);
  }
  const parameters = {
    ...(text === undefined ? {} : { text }),
    ...(step.classes === undefined ? {} : { classes: step.classes }),
    ...(step.config === undefined ? {} : { config: step.config as TaskConfig }),
  };
  return Object.keys(parameters).length === 0 ? undefined : parameters;
}

function checkPresence(step: Step, { name, text = 'none', classes = 'none' }: ParameterisedTask, at: SettingPath, report: Report): void {
  if (text === 'needed' && step.text === undefined) report(at, `the task ${name} needs a text to begin with`, 'Add text: to the step, such as "a photo of", or "${attributes.question|a photo of}".');
  if (text === 'none' && step.text !== undefined) report([...at, 'text'], `the task ${name} takes no text`, 'Remove it, or use conditional-image-captioning.');
  if (classes === 'needed' && step.classes === undefined) report(at, `the task ${name} needs classes`, 'Add classes: [NAME, ...] to the step.');
  if (classes === 'none' && step.classes !== undefined) report([...at, 'classes'], `the task ${name} takes no classes`, 'Remove them.');
}

function checkText(text: string, path: SettingPath, report: Report): Template | undefined {
  const template = compileTemplate(text);
  if ('mistake' in template) {
    report(path, template.mistake, 'Correct the template.');
    return undefined;
  }
  if (stepsOf(template).length > 0) report(path, 'a text cannot read the labels of other steps', 'Use ${source} and ${attributes.NAME|default}.');
  return template;
}
