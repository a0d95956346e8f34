# One fit of a fixed number of EM iterations by mclust, called by peers.py:
#   Rscript mclust.R FOLDER MODEL N D K ITERATIONS
# FOLDER holds rows, weights, means and covariances as raw float64 in column-major order. Writes
# the parameters back as result.bin; prints seconds, iterations and peak memory growth in MiB.
suppressPackageStartupMessages(library(mclust))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]; model <- arguments[2]
n <- as.integer(arguments[3]); d <- as.integer(arguments[4]); k <- as.integer(arguments[5])
iterations <- as.integer(arguments[6])

input <- function(name, size) readBin(file.path(folder, name), "double", size)
X <- matrix(input("rows", n * d), n, d)
means <- matrix(input("means", k * d), d, k)  # one column a component
weights <- input("weights", k)

variance <- list(modelName = model, d = d, G = k)
if (model == "VVV") {
  sigma <- array(input("covariances", k * d * d), c(d, d, k))
  variance$cholsigma <- array(apply(sigma, 3, chol), c(d, d, k))
} else if (model == "EEE") {
  variance$cholSigma <- chol(matrix(input("covariances", d * d), d, d))
} else if (model == "VVI") {
  variances <- matrix(input("covariances", k * d), d, k)
  variance$scale <- exp(colMeans(log(variances)))
  variance$shape <- sweep(variances, 2, variance$scale, "/")
} else {  # VII, or V in one dimension
  variance$sigmasq <- input("covariances", k)
}
parameters <- list(pro = weights, mean = if (d == 1) drop(means) else means, variance = variance)

fit <- function(rows, itmax) {
  suppressWarnings(em(if (d == 1) drop(rows) else rows, model, parameters,
                      control = emControl(tol = c(0, 0), itmax = c(itmax, itmax)), warn = FALSE))
}
status <- function(field) {
  line <- grep(paste0("^", field, ":"), readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}

warm_up <- fit(X[seq_len(min(n, 40L * d + 1000L)), , drop = FALSE], 1L)
invisible(gc())
resettable <- tryCatch({ cat("5", file = "/proc/self/clear_refs"); TRUE }, error = function(e) FALSE)
before <- if (resettable) status("VmRSS") else NA
clock <- Sys.time()
result <- fit(X, iterations)
seconds <- as.numeric(difftime(Sys.time(), clock, units = "secs"))
growth <- if (resettable) status("VmHWM") - before else NA

p <- result$parameters
spread <- switch(model, VVV = p$variance$sigma, EEE = p$variance$Sigma,
                 VVI = sweep(p$variance$shape, 2, p$variance$scale, "*"), p$variance$sigmasq)
writeBin(as.double(c(p$pro, p$mean, spread)), file.path(folder, "result.bin"))
cat(format(seconds, digits = 15), abs(attr(result, "info")[["iterations"]]), growth, "\n")
