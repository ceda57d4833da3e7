"""What the steps know of texts: words, n-grams, personal data, languages, HTML, lists of hosts."""
