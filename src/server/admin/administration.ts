/** For operators, with what the commands do: each answer says what to wait for, and what was answered survives a restart. */
import type { Api } from '../http-port.ts';
import type { TaskHost } from '../task-host.ts';
import { addControls, type ControlsHost } from './controls.ts';
import { addDeadLetters, type DeadLettersHost } from './dead-letters.ts';
import { addInputs, addModels, type DesiredStateHost } from './inputs.ts';

export type AdministrationHost = {
  readonly controls: ControlsHost;
  readonly deadLetters: DeadLettersHost;
  readonly desiredState: DesiredStateHost;
  readonly tasks: Pick<TaskHost, 'models'>;
};

export function administration({ controls, deadLetters, desiredState, tasks }: AdministrationHost): readonly Api[] {
  return [
    {
      name: 'administration',
      description: 'Changes what is processed, and how.',
      add: (server) => {
        addControls(server, controls);
        addInputs(server, desiredState);
        addModels(server, desiredState, tasks);
      },
    },
    { name: 'dead letters', description: 'What could not be processed.', add: (server) => addDeadLetters(server, deadLetters) },
  ];
}
