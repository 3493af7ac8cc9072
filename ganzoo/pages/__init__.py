"""HTML pages in one file, which need no network: the look of the sweep's and the leaderboard's, and plotly's plots."""
