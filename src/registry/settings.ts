import { InputError } from '../base/errors'
import { contentOf, section, site } from '../config/section'
import { typedDomain } from '../names/typed-domain'

export const REGISTRY = section('registry', {
  /** Domains that are refused as those of mailbox providers are, with all names below them. */
  neverRegister: site((value, place) => contentOf(namesIn)(value, place) ?? new Set<string>(), '', {
    name: 'never_register_file',
  }),
})

/** One name a line; `#` begins a comment. @throws {InputError} with the line. */
function namesIn(file: string, content: string): ReadonlySet<string> {
  const names = new Set<string>()
  for (const [at, line] of content.split('\n').entries()) {
    const name = line.replace(/#.*/, '').trim()
    if (name === '') continue
    try {
      names.add(typedDomain(name))
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      throw new InputError(`${file}:${at + 1}: ${error.message}`)
    }
  }
  return names
}

/** A list that other hosts have: what needs its names is refused. */
export class NamesElsewhere extends Set<string> {
  /** @param text what those hosts say of it. */
  constructor(readonly text: string) {
    super()
  }
}
