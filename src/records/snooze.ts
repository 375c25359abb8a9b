import type { Store } from '../store/store'

/** What a person may snooze of a tenant: never that it is restricted. */
export const SNOOZABLE = ['allowance', 'unusual'] as const
export type Snoozable = (typeof SNOOZABLE)[number]

/** The field of a snooze, see `alerts/snoozes.ts`. */
export function snoozeField(tenant: string, kind: Snoozable): string {
  return `${tenant}\t${kind}`
}

/** Ends the snoozes of a tenant that is removed: one of the same name that is added later begins without them. */
export async function forgetSnoozes({ client, keys }: Store, tenant: string): Promise<void> {
  await client.hdel(keys.snoozed, ...SNOOZABLE.map((kind) => snoozeField(tenant, kind)))
}
