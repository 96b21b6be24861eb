import type { Services } from '../context.ts';

/** The topic on which processes announce that a key or a workspace has changed. */
export const credentialTopic = 'credentials';

/** Makes every process check its open credentials now. A hint only: processes check periodically, too. */
export function announceCredentialChange({ bus }: Pick<Services, 'bus'>): void {
  bus.publish(credentialTopic, { kind: 'gap' });
}
