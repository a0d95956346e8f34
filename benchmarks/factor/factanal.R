# Fits of R's factanal with its defaults, called by analysis.py:
#   Rscript factanal.R FOLDER N D FACTORS ROUNDS
# FOLDER holds the rows as raw float64 in column-major order. Writes loadings (of correlations,
# column by column) and uniquenesses as result.bin; prints processor seconds of every round.
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
size <- as.integer(arguments[2:5]); n <- size[1]; d <- size[2]; q <- size[3]
X <- matrix(readBin(file.path(folder, "rows"), "double", n * d), n, d)
fit <- function(rows, factors) factanal(rows, factors, rotation = "none")
set.seed(0)
invisible(try(fit(matrix(rnorm(600), 60), 2), silent = TRUE))  # byte-compiled before the clock starts
for (round in seq_len(size[4])) {
  clock <- proc.time()
  result <- fit(X, q)
  taken <- proc.time() - clock
  cat(taken[["user.self"]] + taken[["sys.self"]], "\n")
}
writeBin(as.double(c(unclass(result$loadings), result$uniquenesses)), file.path(folder, "result.bin"))
