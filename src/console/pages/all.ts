import type { Role } from '../../records/role'
import type { Download, Page } from '../kit/page'
import { GLOSSARY } from './glossary'
import { OVERVIEW } from './overview'
import { REPORT, REPORT_CSV, REPORT_PRINT } from './report'

/** All pages. */
export const PAGES: readonly Page[] = [OVERVIEW, REPORT, REPORT_PRINT, GLOSSARY]

export const DOWNLOADS: readonly Download[] = [REPORT_CSV]

/** What the navigation links to, in its order. */
export const NAVIGATION: readonly (readonly [
  segments: readonly string[],
  text: string,
  least: Role,
])[] = [
  [[], 'Overview', 'viewer'],
  [['glossary'], 'Glossary', 'viewer'],
]
