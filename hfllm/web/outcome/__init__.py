"""What became of the pages: counts, the funnel as a page, the data set."""
