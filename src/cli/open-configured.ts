/** Log and state of the configuration that a command names. */
import { openAccess, type Access } from '../open-access.ts';
import { createCommandContext, type AccessRole } from '../process-context.ts';
import { configurationOf, type NamedConfiguration, type Surroundings } from './configured.ts';
import { createLogger, type ErrorStream } from './logger.ts';

type Opening = { readonly role?: AccessRole; readonly makesLog?: boolean };

/** To be closed. Throws ConfigurationMistakes. */
export async function openConfigured(named: NamedConfiguration, surroundings: Surroundings & { readonly stderr: ErrorStream }, { role = 'any', makesLog = false }: Opening): Promise<Access> {
  const { configuration, extensions } = await configurationOf(named, surroundings);
  const context = createCommandContext(await createLogger('warn', surroundings), extensions);
  return openAccess(configuration, context, role, { logMustExist: !makesLog });
}
