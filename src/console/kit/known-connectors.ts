import { readOnce } from '../../explain/explain'
import { shared } from './shared'

/** How long connectors are kept in memory, in ms. Each use reads them again where they have changed. */
const KEPT = 10 * 60_000

/** All connectors: to read 100,000 takes a second, to see that none has changed one question. */
export const knownConnectors = shared(({ store }) => Promise.resolve(readOnce(store)), KEPT)
