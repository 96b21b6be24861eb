import type { Services } from '../context.ts';

/** The topic on which processes tell each other that a key or a workspace has changed. */
export const credentialTopic = 'credentials';

/** Tells every process to look at its credentials again. A hint: they look by themselves, too. */
export function announceCredentialChange({ bus }: Pick<Services, 'bus'>): void {
  bus.publish(credentialTopic, { kind: 'gap' });
}
