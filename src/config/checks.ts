/** What no single setting can know: names that must exist, combinations that cannot work (SEMANTICS.md, rule 7). */
import { cosineDistanceMax } from '../core/distances.ts';
import { orderSteps, type Route } from '../core/routes.ts';
import { consumers as ownConsumers } from '../models/consumers.ts';
import { compileTemplate, foldName, stepsOf, type Template } from '../core/templates.ts';
import { checkContainer } from './container-settings.ts';
import { checkMedia } from './media-checks.ts';
import type { SettingPath, UnlocatedMistake } from './mistakes.ts';
import { checkParameters, type ParameterisedTask } from './parameter-checks.ts';
import { checkRegistry } from './registry-checks.ts';
import type { Settings } from './settings.ts';
import { checkTransport } from './transport-checks.ts';

/** The kinds of task, as the configuration needs to know them. */
export type KnownTask = ParameterisedTask & { readonly accepts: readonly string[]; readonly produces: 'features' | 'label' };

type Report = (path: SettingPath, message: string, remedy: string) => void;

/** What configurations may name beside what they define. */
export type KnownNames = {
  readonly tasks: readonly KnownTask[];
  /** Without them: the program's own. */
  readonly consumers?: readonly string[];
};

export type CheckedRoutes = { readonly routes: readonly Route[]; readonly mistakes: readonly UnlocatedMistake[] };

/** Compiles the routes; every mistake found is told at once. */
export function checkRoutes(configuration: Settings, { tasks, consumers = Object.keys(ownConsumers) }: KnownNames): CheckedRoutes {
  const mistakes: UnlocatedMistake[] = [];
  const report: Report = (path, message, remedy) => mistakes.push({ code: 'LS_CONFIG_COMBINATION', path, message, remedy });
  reportRepeated(configuration.routes.map((route) => route.name), ['routes'], report);
  reportRepeated(configuration.collections.map((collection) => collection.name), ['collections'], report);
  const routes = configuration.routes.map((route, index) => checkRoute(route, ['routes', index], configuration, tasks, report));
  checkConsumers(configuration, consumers, report);
  checkServer(configuration, tasks, report);
  checkCollections(configuration, report);
  checkTransport(configuration.transport, report);
  checkRegistry(configuration.registry, report);
  if (configuration.state.kind === 'blob') checkContainer(configuration.state, ['state'], report);
  checkMedia(configuration.media, configuration.server.skill.labels, report);
  return { routes, mistakes };
}

function reportRepeated(names: readonly string[], path: SettingPath, report: Report): void {
  for (const [index, name] of names.entries()) {
    if (names.indexOf(name) < index) report([...path, index, 'name'], `"${name}" is there already`, 'Give each its own name.');
  }
}

function checkRoute(
  route: Settings['routes'][number],
  path: SettingPath,
  configuration: Settings,
  tasks: readonly KnownTask[],
  report: Report,
): Route {
  reportRepeated(route.steps.map((step) => step.name), [...path, 'steps'], report);
  const steps = route.steps.map((step, index) => {
    const at = [...path, 'steps', index];
    checkTask(step, route.from, at, tasks, report);
    if (configuration.models[step.model] === undefined) {
      report([...at, 'model'], `no model is named "${step.model}"`, `Declare it under models, or use one of: ${list(Object.keys(configuration.models))}.`);
    }
    const parameters = checkParameters(step, at, tasks, report);
    return { name: step.name, task: step.task, model: step.model, collection: checkTemplate(step, route, at, tasks, configuration, report), ...(parameters === undefined ? {} : { parameters }) };
  });
  for (const [index, step] of route.steps.entries()) {
    const twin = route.steps.findIndex(({ collection }) => collection !== undefined && collection === step.collection);
    if (step.collection !== undefined && twin < index) {
      report([...path, 'steps', index, 'collection'], `two steps of one route send features to "${step.collection}": an event's second would replace its first`, 'Give each step its own collection.');
    }
  }
  if (route.where.language !== undefined && route.from !== 'text') {
    report([...path, 'where', 'language'], `${route.from} events have no language: the route ${route.name} would take none`, 'Remove it, or use an attribute.');
  }
  const order = orderSteps(steps);
  if ('cycle' in order) report([...path, 'steps'], `the steps ${order.cycle.join(', ')} need each other's results`, 'Break the cycle.');
  return { name: route.name, from: route.from, where: route.where, steps: 'ordered' in order ? order.ordered : steps };
}

function checkConsumers({ models, inference }: Settings, consumers: readonly string[], report: Report): void {
  const check = (path: SettingPath, consumer: string): void => {
    if (!consumers.includes(consumer)) report(path, `there is no consumer "${consumer}"`, `Use one of: ${list(consumers)}; or name the plugin that has it under plugins.`);
  };
  check(['inference', 'consumer'], inference.consumer);
  for (const [name, { consumer }] of Object.entries(models)) if (consumer !== undefined) check(['models', name, 'consumer'], consumer);
}

function checkServer({ server: { defaults }, models }: Settings, tasks: readonly KnownTask[], report: Report): void {
  const checkTaskNamed = (path: SettingPath, task: string): void => {
    if (!tasks.some(({ name }) => name === task)) report(path, `there is no task "${task}"`, `Use one of: ${list(tasks.map(({ name }) => name))}.`);
  };
  if (defaults.task !== undefined) checkTaskNamed(['server', 'defaults', 'task'], defaults.task);
  for (const [task, model] of Object.entries(defaults.models)) {
    const path = ['server', 'defaults', 'models', task];
    checkTaskNamed(path, task);
    if (models[model] === undefined) report(path, `there is no model "${model}"`, `Use one of: ${list(Object.keys(models))}.`);
  }
}

function checkTask(step: Settings['routes'][number]['steps'][number], from: string, at: SettingPath, tasks: readonly KnownTask[], report: Report): void {
  const task = tasks.find(({ name }) => name === step.task);
  if (task === undefined) {
    report([...at, 'task'], `there is no task "${step.task}"`, `Use one of: ${list(tasks.map(({ name }) => name))}.`);
    return;
  }
  if (!task.accepts.includes(from)) {
    report([...at, 'task'], `the task ${step.task} does not take ${from} events`, `Use it in a route from: ${list(task.accepts)}.`);
  }
  if (task.produces === 'features' && step.collection === undefined) {
    report(at, `the step ${step.name} produces features, which need a collection to go to`, 'Add collection: NAME to the step, and define it under collections.');
  }
  if (task.produces === 'label' && step.collection !== undefined) {
    report([...at, 'collection'], `the step ${step.name} produces a label, not features for a collection`, 'Remove collection from the step.');
  }
}

function checkTemplate(
  step: Settings['routes'][number]['steps'][number],
  route: Settings['routes'][number],
  at: SettingPath,
  tasks: readonly KnownTask[],
  configuration: Settings,
  report: Report,
): Template | undefined {
  if (step.collection === undefined) return undefined;
  const path = [...at, 'collection'];
  const template = compileTemplate(step.collection);
  if ('mistake' in template) {
    report(path, template.mistake, 'Correct the template.');
    return undefined;
  }
  for (const needed of stepsOf(template)) {
    const source = route.steps.find(({ name }) => name === needed);
    const produces = tasks.find(({ name }) => name === source?.task)?.produces;
    if (produces !== 'label') {
      report(path, `the template reads the label of "${needed}", which is no step of this route that gives one`, `Name a step of route ${route.name} that classifies or predicts.`);
    }
  }
  if (!configuration.collections.some(({ name }) => name === step.collection)) {
    report(path, `no collection is named "${step.collection}"`, `Define it under collections, with the same text: ${list(configuration.collections.map(({ name }) => name))} are there.`);
  }
  return template;
}

function checkCollections(configuration: Settings, report: Report): void {
  for (const [index, collection] of configuration.collections.entries()) {
    const path = ['collections', index];
    const template = compileTemplate(collection.name);
    if ('mistake' in template) report([...path, 'name'], template.mistake, 'Correct the template.');
    else if (template.parts.every(({ kind }) => kind === 'literal') && foldName(collection.name) !== collection.name) {
      report([...path, 'name'], `"${collection.name}" is not a collection name`, `Use a-z 0-9 . _ -, for example ${foldName(collection.name) ?? 'items'}.`);
    }
    const users = configuration.routes.flatMap((route) => route.steps.filter((step) => step.collection === collection.name));
    const models = [...new Set(users.map((step) => step.model))];
    if (users.length === 0) report(path, `no step sends features to "${collection.name}"`, 'Name it as the collection of a features step, or remove it.');
    if (models.length > 1) report(path, `"${collection.name}" gets features of several models: ${models.join(', ')}`, 'Features of different models cannot be compared: give each its own collection.');
    if (collection.metric === 'cosine' && collection.eps > cosineDistanceMax) report([...path, 'eps'], `no cosine distance is above ${cosineDistanceMax}`, `Choose an eps between 0 and ${cosineDistanceMax}.`);
  }
}

function list(names: readonly string[]): string {
  return names.length === 0 ? '(none)' : names.join(', ');
}
