import type { AuditEntry } from '../../records/audit-entry'

/** `ann (root), Redis user tenantctl, bob` */
export function whoOf({ os, redis, note }: AuditEntry): string {
  return [os, redis && `Redis user ${redis}`, note].filter(Boolean).join(', ')
}
