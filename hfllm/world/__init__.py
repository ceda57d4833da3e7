"""A small made-up world whose truth is known: people, cities, problems, jokes, and a web that talks about them.

Read in this order: words (what names are made of), people (the truth), facts (how it is said and asked), prose, jokes,
problems, lists (other kinds of text), then documents, conversations, rankings and crawl, which put them together.
Everything is drawn from `random.Random`, so one seed gives the same bytes on every machine."""
