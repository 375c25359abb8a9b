const NOBODY = 65_534

/** Whether this process can become a user without rights; root can. */
export const canBeNobody = process.geteuid?.() === 0

/**
 * Does something with the rights that a user without any has to files; the whole process has only these meanwhile. It may
 * read nothing of this repository then, which can be below a home that others cannot enter.
 */
export async function asNobody<T>(act: () => T | Promise<T>): Promise<T> {
  process.seteuid!(NOBODY)
  try {
    return await act()
  } finally {
    process.seteuid!(0)
  }
}
