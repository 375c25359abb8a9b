/** What a person may do, from the least to the most: read, work on incidents, decide about tenants. */
export const ROLES = ['viewer', 'operator', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** Whether a role may do what takes at least another one. */
export function atLeast(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least)
}

export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text)
}
