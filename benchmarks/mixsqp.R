# Mixture proportions by R's mixsqp, called by proportions_peers.py:
#   Rscript mixsqp.R FILE N K LOG SETTING BUDGET RESULT
# FILE holds F, or log F if LOG is 1, as raw float64 in column-major order. Solves again until
# BUDGET seconds are filled. Writes the proportions of the last solution to RESULT as raw float64;
# prints median processor seconds, median wall seconds, solutions, iterations and the status.
suppressPackageStartupMessages(library(mixsqp))
arguments <- commandArgs(trailingOnly = TRUE)
n <- as.integer(arguments[2]); k <- as.integer(arguments[3]); log_domain <- arguments[4] == "1"
budget <- as.numeric(arguments[6])
settings <- list(
  default = list(),
  tight = list(tol.svd = 0, convtol.sqp = 1e-10, eps = 1e-15, zero.threshold.solution = 1e-12),
  exact6 = list(tol.svd = 0, convtol.sqp = 1e-6, eps = 1e-10)
)
control <- c(settings[[arguments[5]]], verbose = FALSE)
solve_for <- function(F) suppressWarnings(mixsqp(F, log = log_domain, control = control))

F <- readBin(arguments[1], "double", as.double(n) * k)
dim(F) <- c(n, k)
warm_up <- solve_for(F[seq(1, n, by = max(1, n %/% 1000)), , drop = FALSE])
processor <- wall <- numeric()
while (length(wall) == 0 || (sum(wall) < budget && length(wall) < 50)) {
  invisible(gc())
  before <- proc.time()
  result <- solve_for(F)
  spent <- proc.time() - before
  processor <- c(processor, spent[["user.self"]] + spent[["sys.self"]])
  wall <- c(wall, spent[["elapsed"]])
}
writeBin(as.double(result$x), arguments[7])
cat(format(median(processor), digits = 15), format(median(wall), digits = 15), length(wall),
    nrow(result$progress), result$status, "\n")
