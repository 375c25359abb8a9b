/**
 * What a person can mend: the message says what was wrong, the value, and what to do.
 * `exitStatus` is what `tenantctl` ends with.
 */
export class UserError extends Error {
  constructor(
    message: string,
    readonly exitStatus: 1 | 2 | 3 | 4 | 5 | 130,
  ) {
    super(message)
    this.name = new.target.name
  }
}

/** Bad usage or bad input: the value itself cannot be right. */
export class InputError extends UserError {
  constructor(message: string) {
    super(message, 2)
  }
}

/** What is wrong in a file, a line for each mistake. */
export class FileMistakes extends InputError {}

/** There is no such tenant, accepted domain or connector. */
export class NotFoundError extends UserError {
  constructor(message: string) {
    super(message, 3)
  }
}

/** For a tenant that is not registered. */
export function noSuchTenant(id: string): NotFoundError {
  return new NotFoundError(`there is no tenant "${id}"; tenantctl tenant list shows all`)
}

/** The input is fine, but the present state forbids it: owned by another, restricted … */
export class RefusedError extends UserError {
  constructor(message: string) {
    super(message, 4)
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
