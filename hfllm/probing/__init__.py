"""Parts of the stage probe: which questions are asked, what is learned from the answers, and a table of them."""
