const UNPRIVILEGED = 65_534

/** Whether this process can become a user without rights; root can. */
export const canDropRights = process.geteuid?.() === 0

/**
 * Runs `act` as a user without rights to files. The whole process has no others meanwhile, and may be unable to read
 * this repository.
 */
export async function withoutRights<T>(act: () => T | Promise<T>): Promise<T> {
  process.seteuid!(UNPRIVILEGED)
  try {
    return await act()
  } finally {
    process.seteuid!(0)
  }
}
