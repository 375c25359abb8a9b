// What a browser adds to the pages, which work without it.
'use strict'
