import { html } from '../kit/html'
import type { Page } from '../kit/page'
import { heading } from '../kit/parts'

export const OVERVIEW: Page = {
  path: '/',
  least: 'viewer',
  show: (visit) =>
    Promise.resolve({
      title: 'Overview',
      live: html`${heading(visit, 'overview', 1)}`,
      rest: html``,
    }),
}
