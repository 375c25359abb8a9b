import { existsSync } from 'node:fs'
import path from 'node:path'
import { tenantctl } from '../../base/command-line'
import { InputError } from '../../base/errors'
import type { Config } from '../../process/config'
import type { Store } from '../../store/store'
import { applyTenantsFile } from '../../tenants-file/apply'
import { readTenantsFile } from '../../tenants-file/read'
import type { TenantsFile } from '../../tenants-file/tenants-file'
import { fail, ok, warn, type Line } from './line'

const CHECK = 'tenants-file'

/** The tenants file that Haraka applies. */
export interface FoundTenantsFile {
  readonly lines: readonly Line[]
  /** Without mistakes. */
  readonly file?: TenantsFile
  readonly name: string
}

/**
 * Checks the tenants file in the configuration, a line for each mistake; one that is not there is none.
 *
 * @param directory Haraka's config directory.
 */
export async function checkTenantsFile(
  directory: string,
  { file, apply }: Config['tenants'],
): Promise<FoundTenantsFile> {
  const name = path.resolve(directory, file)
  if (file === '' || !apply || !existsSync(name)) return { lines: [], name }
  try {
    return { lines: [], file: await readTenantsFile(name), name }
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const advice =
      'correct the file: nothing of it is applied, and what was registered before stays'
    return { lines: error.message.split('\n').map((text) => mistake(text, advice)), name }
  }
}

function mistake(text: string, advice: string): Line {
  return fail(CHECK, text, advice, { subject: text, problem: 'mistakes' })
}

/** Compares the file with what is registered: Haraka applies it when it starts, and whenever the file changes. */
export async function checkApplied(
  store: Store,
  { file, name }: FoundTenantsFile,
  { neverRegister }: Config['registry'],
): Promise<Line[]> {
  if (!file) return []
  const { added, updated, left, errors } = await applyTenantsFile(store, file, {
    dryRun: true,
    neverRegister,
  })
  const unlike = [...added, ...updated].map((text) =>
    warn(
      CHECK,
      `${name} and the registry differ: ${text}`,
      `see the log of Haraka for why it is not applied; ${tenantctl('apply', name)} does it now`,
      { subject: text, problem: `differences between ${name} and the registry` },
    ),
  )
  const kept = left.map((text) =>
    warn(
      CHECK,
      `${name} no longer holds ${text}, which came from it`,
      `${tenantctl('apply', name, '--prune')} removes it`,
      { subject: text, problem: `things came from ${name} and are no longer in it` },
    ),
  )
  const lines = [
    ...errors.map(({ message }) => mistake(message, 'correct the file')),
    ...unlike,
    ...kept,
  ]
  return lines.length > 0 ? lines : [ok(CHECK, `${name} is applied`)]
}
