import { charges } from './charges'
import { domains } from './domains'
import { forwarded } from './forwarded'
import { growth } from './growth'
import { instructions } from './instructions'
import { loading } from './loading'
import { mail } from './mail'
import { profile } from './profile'
import { propagation } from './propagation'
import type { Section } from './row'
import { memory } from './memory'
import { senders } from './senders'
import { tenants } from './tenants'

/** In the order in which they run and are shown. */
export const SECTIONS: readonly Section[] = [
  mail,
  senders,
  forwarded,
  profile,
  instructions,
  charges,
  tenants,
  domains,
  memory,
  loading,
  growth,
  propagation,
]
