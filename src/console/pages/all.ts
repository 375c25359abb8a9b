import type { Role } from '../../records/role'
import type { Download, Page } from '../kit/page'
import { GLOSSARY } from './glossary'
import { OVERVIEW } from './overview'

/** All pages. */
export const PAGES: readonly Page[] = [OVERVIEW, GLOSSARY]

export const DOWNLOADS: readonly Download[] = []

/** What the navigation links to, in its order. */
export const NAVIGATION: readonly (readonly [
  segments: readonly string[],
  text: string,
  least: Role,
])[] = [
  [[], 'Overview', 'viewer'],
  [['glossary'], 'Glossary', 'viewer'],
]
