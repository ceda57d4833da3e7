"""From input files to pages: archives, rows, and the encodings of the web."""
